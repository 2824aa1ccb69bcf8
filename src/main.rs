//! The `camloc` program, all of which is in the library: so its parts need not be public.

use std::process::ExitCode;

fn main() -> ExitCode {
    camloc::cli::main()
}
