//! Keys of the window in which pictures are collected: [`CollectCommand`].

use crate::display::{Key, Keymap};

/// How many classes have a key, a digit from 1.
pub(crate) const DIGITS: usize = 9;

/// What the person at the window asks for. A character means one thing or another while a name is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CollectCommand {
    /// A character was typed.
    Typed(char),
    /// The name is complete.
    Enter,
    /// Take the last character of the name back.
    Backspace,
    /// Leave the name, or the window.
    Escape,
    /// Show or hide the table of keys.
    Help,
    /// End, also while a name is typed.
    Close,
}

impl Keymap for CollectCommand {
    const QUIT: CollectCommand = CollectCommand::Close;
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("1 to 9, held", "save pictures of this class"),
        ("n", "name a class for the next free digit, in letters a to z"),
        ("q, Esc", "stop; what is saved stays"),
        ("?, F1", "this help"),
        ("background", "call the class so that shows none of the others"),
        ("other scripts", "name the class with --class"),
    ];

    fn typed(character: char) -> Option<CollectCommand> {
        (!character.is_control()).then_some(CollectCommand::Typed(character))
    }

    fn pressed(key: Key) -> Option<CollectCommand> {
        match key {
            Key::Enter => Some(CollectCommand::Enter),
            Key::Backspace => Some(CollectCommand::Backspace),
            Key::Escape => Some(CollectCommand::Escape),
            Key::F1 => Some(CollectCommand::Help),
        }
    }

    fn repeats(self) -> bool {
        self == CollectCommand::Backspace
    }
}
