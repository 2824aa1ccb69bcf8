//! The `camloc` program: parses, assembles the library's parts, and reports.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
