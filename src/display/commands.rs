//! Keys, and what they mean: [`Keymap`], and the [`Command`]s of a display of results.

use std::fmt;

/// A key that types no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Enter, or Return, also on the keypad.
    Enter,
    /// Deletes the character before.
    Backspace,
    /// Escape.
    Escape,
    /// The first function key.
    F1,
}

/// What the keys of a display mean: of one that shows results ([`Command`]), or of one for other work.
pub(crate) trait Keymap: Copy + PartialEq + fmt::Debug + 'static {
    /// What a closed display asks for.
    const QUIT: Self;
    /// The keys and what they do, for help texts.
    const KEYS: &'static [(&'static str, &'static str)];

    /// What a typed character means, whatever the layout of the keyboard.
    fn typed(character: char) -> Option<Self>;

    /// What a key without a character means.
    fn pressed(key: Key) -> Option<Self>;

    /// Whether holding the key goes on and on, as for values; a switch would flicker.
    fn repeats(self) -> bool;
}

/// What the person at the display asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    /// End the run.
    Quit,
    /// Hold the picture, or go on.
    Pause,
    /// Show or hide heat.
    Heatmap,
    /// Show or hide boxes.
    Boxes,
    /// Show or hide the figures.
    Figures,
    /// Look for the next class.
    NextClass,
    /// Look for the class before.
    PreviousClass,
    /// Make the maps by the next method.
    NextMethod,
    /// Show what speaks against the class, and what is said without it.
    Counterfactual,
    /// Raise the threshold: smaller boxes.
    ThresholdUp,
    /// Lower the threshold: larger boxes.
    ThresholdDown,
    /// Hide more of the picture under the heat.
    OpacityUp,
    /// Hide less of the picture under the heat.
    OpacityDown,
    /// Give examples of the class of this digit, as long as it is held.
    Example(char),
    /// Learn from the examples.
    Learn,
    /// Save the picture.
    Snapshot,
    /// Show or hide the table of keys.
    Help,
}

/// The keys and what they do, for help texts.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("q, Esc", "quit"),
    ("Space", "pause, go on"),
    ("h", "heatmap on, off"),
    ("b", "boxes on, off"),
    ("f", "figures on, off"),
    ("n, p", "next, previous class"),
    ("m", "next method"),
    ("c", "what speaks against it"),
    ("+, -", "threshold up, down"),
    ("[, ]", "heatmap fainter, stronger"),
    ("1 … 9", "held: examples (--teach)"),
    ("t", "learn from them (--teach)"),
    ("s", "save the picture"),
    ("?, F1", "this help"),
];

impl Keymap for Command {
    const QUIT: Command = Command::Quit;
    const KEYS: &'static [(&'static str, &'static str)] = KEYS;

    fn typed(character: char) -> Option<Command> {
        Some(match character.to_ascii_lowercase() {
            'q' => Command::Quit,
            ' ' => Command::Pause,
            'h' => Command::Heatmap,
            'b' => Command::Boxes,
            'f' => Command::Figures,
            'n' => Command::NextClass,
            'p' => Command::PreviousClass,
            'm' => Command::NextMethod,
            'c' => Command::Counterfactual,
            '+' | '=' => Command::ThresholdUp,
            '-' => Command::ThresholdDown,
            ']' => Command::OpacityUp,
            '[' => Command::OpacityDown,
            digit @ '1'..='9' => Command::Example(digit),
            't' => Command::Learn,
            's' => Command::Snapshot,
            '?' => Command::Help,
            _ => return None,
        })
    }

    fn pressed(key: Key) -> Option<Command> {
        match key {
            Key::Escape => Some(Command::Quit),
            Key::F1 => Some(Command::Help),
            _ => None,
        }
    }

    fn repeats(self) -> bool {
        use Command::{NextClass, OpacityDown, OpacityUp, PreviousClass, ThresholdDown, ThresholdUp};
        matches!(self, NextClass | PreviousClass | ThresholdUp | ThresholdDown | OpacityUp | OpacityDown)
    }
}
