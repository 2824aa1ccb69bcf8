//! Arguments that are names, which a shell completes.

use std::ffi::OsStr;

use crate::explainer::Method;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, Error};

/// Any text. The names are for the shell only: what is wrong with another one is said where settings are read, which
/// come from files and the environment as well.
#[derive(Clone)]
pub(super) struct Offered(Vec<&'static str>);

/// Text that is mostly one of these.
pub(super) fn offered(names: &[&'static str]) -> Offered {
    Offered(names.to_vec())
}

/// The name of a method, or of what stands for one or more of them.
pub(super) fn methods(or: &'static str) -> Offered {
    Offered(std::iter::once(or).chain(Method::all().map(Method::name)).collect())
}

impl TypedValueParser for Offered {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}
