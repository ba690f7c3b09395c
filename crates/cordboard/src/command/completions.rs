//! `cordboard completions` and `cordboard man`: what a package installs beside the program, made from the commands
//! themselves.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory, ValueEnum};

use super::{Cli, Failed};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cordboard completions bash > /usr/share/bash-completion/completions/cordboard
  cordboard completions zsh > /usr/share/zsh/site-functions/_cordboard
  cordboard completions fish > /usr/share/fish/vendor_completions.d/cordboard.fish")]
pub(super) struct Arguments {
    /// For which shell.
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failed> {
    let shell = match arguments.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cordboard", &mut script);
    Ok(out.write_all(&script)?)
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cordboard man --dir /usr/share/man/man1")]
pub(super) struct ManArguments {
    /// The folder; it is made when it is missing.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn man(arguments: &ManArguments, out: &mut dyn Write) -> Result<(), Failed> {
    let dir = &arguments.dir;
    let wrong = |error| Failed::because(format!("cannot write man pages to {}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(wrong)?;
    // A page has its own line for the version, and wants the number alone.
    let command = Cli::command().version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true);
    clap_mangen::generate_to(command, dir).map_err(wrong)?;
    writeln!(out, "man pages are in {}", dir.display())?;
    Ok(())
}
