//! Keys of the window: what they are called, what they mean, and which count when held ([`Keyboard`]).

use std::fmt;

use minifb::{InputCallback, Key};

/// What the keys of a window mean: of one that shows results ([`Command`]), or of one for other work.
pub trait Keymap: Copy + PartialEq + fmt::Debug + 'static {
    /// What a closed window asks for.
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

/// What the person at the window asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
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
pub const KEYS: &[(&str, &str)] = &[
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

/// Collects commands from the window's events: a key's state comes first, then the character that it types, and
/// both again while the key is held.
#[derive(Debug)]
pub(super) struct Keyboard<C> {
    /// The keys that are down, and what each meant when it was pressed.
    held: Vec<(Key, Option<C>)>,
    /// The key that was pressed last, whose character follows.
    latest: Option<Key>,
    /// Whether the latest press came of holding the key.
    repeated: bool,
    commands: Vec<C>,
}

impl<C> Default for Keyboard<C> {
    fn default() -> Keyboard<C> {
        Keyboard { held: Vec::new(), latest: None, repeated: false, commands: Vec::new() }
    }
}

impl<C: Keymap> Keyboard<C> {
    /// The commands since the last call, in order.
    pub(super) fn take(&mut self) -> Vec<C> {
        std::mem::take(&mut self.commands)
    }

    /// Whether a key that means this is down.
    pub(super) fn is_held(&self, command: C) -> bool {
        self.held.iter().any(|(_, meaning)| *meaning == Some(command))
    }

    /// Forgets what is held: another window will see it released.
    pub(super) fn let_go(&mut self) {
        self.held.clear();
        self.repeated = false;
    }

    fn add(&mut self, command: Option<C>) {
        let counts = |command: &C| !self.repeated || command.repeats();
        self.commands.extend(command.filter(counts));
    }
}

impl<C: Keymap> InputCallback for Keyboard<C> {
    fn set_key_state(&mut self, key: Key, down: bool) {
        let place = self.held.iter().position(|(held, _)| *held == key);
        if down {
            self.latest = Some(key);
            self.repeated = place.is_some();
            if !self.repeated {
                self.held.push((key, C::pressed(key)));
            }
            self.add(C::pressed(key));
        } else if let Some(place) = place {
            self.held.remove(place);
            self.repeated = false;
        }
    }

    fn add_char(&mut self, character: u32) {
        let command = char::from_u32(character).and_then(C::typed);
        self.add(command);
        // A modifier pressed later changes the character of a key that repeats, not what it is held for.
        let latest = self.held.iter_mut().find(|(key, _)| Some(*key) == self.latest && !self.repeated);
        if let Some((_, meaning)) = latest {
            *meaning = command.or(*meaning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Presses a key `times` as the window system tells of it when it is held, and releases it.
    fn stroke(keyboard: &mut Keyboard<Command>, key: Key, character: Option<char>, times: usize) {
        for _ in 0..times {
            keyboard.set_key_state(key, true);
            if let Some(character) = character {
                keyboard.add_char(character as u32);
            }
        }
        keyboard.set_key_state(key, false);
    }

    fn commands(key: Key, character: Option<char>, times: usize) -> Vec<Command> {
        let mut keyboard = Keyboard::default();
        stroke(&mut keyboard, key, character, times);
        keyboard.take()
    }

    #[test]
    fn every_key_of_the_table_does_what_the_table_says() {
        let expected = [
            ("q", Command::Quit),
            ("Esc", Command::Quit),
            ("Space", Command::Pause),
            ("h", Command::Heatmap),
            ("b", Command::Boxes),
            ("f", Command::Figures),
            ("n", Command::NextClass),
            ("p", Command::PreviousClass),
            ("m", Command::NextMethod),
            ("c", Command::Counterfactual),
            ("+", Command::ThresholdUp),
            ("-", Command::ThresholdDown),
            ("[", Command::OpacityDown),
            ("]", Command::OpacityUp),
            ("1 … 9", Command::Example('1')),
            ("t", Command::Learn),
            ("s", Command::Snapshot),
            ("?", Command::Help),
            ("F1", Command::Help),
        ];
        let names: Vec<&str> = KEYS.iter().flat_map(|(keys, _)| keys.split(", ")).collect();
        assert_eq!(names, expected.map(|(name, _)| name));
        for (name, command) in expected {
            let typed = match name {
                "Esc" => commands(Key::Escape, Some('\u{1b}'), 1),
                "F1" => commands(Key::F1, None, 1),
                "Space" => commands(Key::Space, Some(' '), 1),
                character => commands(Key::Unknown, character.chars().next(), 1),
            };
            assert_eq!(typed, [command], "{name}");
        }
    }

    #[test]
    fn characters_count_and_not_where_they_are_on_the_keyboard() {
        // A keypad's plus, a German plus, and an American plus without shift.
        assert_eq!(commands(Key::NumPadPlus, Some('+'), 1), [Command::ThresholdUp]);
        assert_eq!(commands(Key::RightBracket, Some('+'), 1), [Command::ThresholdUp]);
        assert_eq!(commands(Key::Equal, Some('='), 1), [Command::ThresholdUp]);
        // Caps lock is no other key; control characters and dead keys are none of ours.
        assert_eq!(commands(Key::Q, Some('Q'), 1), [Command::Quit]);
        assert_eq!(commands(Key::Q, Some('\u{11}'), 1), []);
        assert_eq!(commands(Key::LeftShift, None, 3), []);
    }

    #[test]
    fn a_held_key_goes_on_for_values_only() {
        assert_eq!(commands(Key::Minus, Some('-'), 4), [Command::ThresholdDown; 4]);
        assert_eq!(commands(Key::Space, Some(' '), 4), [Command::Pause]);
        assert_eq!(commands(Key::F1, None, 4), [Command::Help]);
        let mut keyboard = Keyboard::default();
        stroke(&mut keyboard, Key::H, Some('h'), 3);
        stroke(&mut keyboard, Key::H, Some('h'), 1);
        assert_eq!(keyboard.take(), [Command::Heatmap; 2]);
        assert_eq!(keyboard.take(), []);
    }

    #[test]
    fn a_key_is_held_for_what_it_meant_when_it_was_pressed() {
        let mut keyboard = Keyboard::default();
        let press = |keyboard: &mut Keyboard<Command>, key: Key, character: Option<char>| {
            keyboard.set_key_state(key, true);
            character.into_iter().for_each(|character| keyboard.add_char(character as u32));
        };
        press(&mut keyboard, Key::H, Some('h'));
        press(&mut keyboard, Key::Escape, Some('\u{1b}'));
        assert!(keyboard.is_held(Command::Heatmap) && keyboard.is_held(Command::Quit));
        // Shift comes down, and the key that repeats types another character.
        press(&mut keyboard, Key::LeftShift, None);
        press(&mut keyboard, Key::H, Some('?'));
        assert!(keyboard.is_held(Command::Heatmap) && !keyboard.is_held(Command::Help));
        keyboard.set_key_state(Key::H, false);
        assert!(!keyboard.is_held(Command::Heatmap) && keyboard.is_held(Command::Quit));
        keyboard.let_go();
        assert!(!keyboard.is_held(Command::Quit));
    }

    #[test]
    fn a_key_released_in_another_window_is_not_held() {
        let mut keyboard = Keyboard::default();
        keyboard.set_key_state(Key::H, true);
        keyboard.let_go();
        stroke(&mut keyboard, Key::H, Some('h'), 1);
        assert_eq!(keyboard.take(), [Command::Heatmap]);
    }
}
