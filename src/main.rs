//! The `sbpl` command. Everything it does is in [`sbpl::cli`].

fn main() -> std::process::ExitCode {
    sbpl::cli::main()
}
