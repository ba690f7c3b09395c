//! The one binary.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A message is some hundred small allocations, made by one thread and freed by another; measured in
/// `docs/benchmarks.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cordboard::command::main()
}
