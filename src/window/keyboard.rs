//! From a window's key events to commands, and which of them count when a key is held: [`Keyboard`].

use minifb::{InputCallback, Key};

use crate::display::{self, Keymap};

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
            let command = named(key).and_then(C::pressed);
            if !self.repeated {
                self.held.push((key, command));
            }
            self.add(command);
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

/// The key by the name that displays share; `None` for one that types a character, or means nothing.
fn named(key: Key) -> Option<display::Key> {
    match key {
        Key::Enter | Key::NumPadEnter => Some(display::Key::Enter),
        Key::Backspace => Some(display::Key::Backspace),
        Key::Escape => Some(display::Key::Escape),
        Key::F1 => Some(display::Key::F1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::{Command, commands::KEYS};

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
