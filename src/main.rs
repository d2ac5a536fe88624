//! The `linqsync` program: everything it does is in the library.

#[cfg(not(unix))]
compile_error!(
    "linqsync runs on Linux and macOS only; on Windows use it in the Windows Subsystem for Linux (WSL)"
);

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    linqsync::cli::main()
}

#[cfg(not(unix))]
fn main() {}
