//! A terminal of a machine, with a command at work in it, and what stands on its screen.
//!
//! Keeps: no command outlives its test; nothing waits a fixed time, but until the screen shows what is waited for.

use std::{
    fs::File,
    io::{Read, Write},
    num::NonZero,
    os::fd::AsFd,
    process::Child,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use pty_process::{
    Size,
    blocking::{Command, Pty, open},
};

use super::machine::{Machine, parkwatt};

/// How long the screen may take until it shows what must come.
const PATIENCE: Duration = Duration::from_mins(1);
const ROWS: NonZero<u16> = NonZero::new(28).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(100).unwrap();

/// A terminal.
pub struct Terminal {
    pty: Pty,
    child: Child,
    written: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Terminal {
    /// Runs a command of a machine in a terminal.
    pub fn run(machine: &Machine, args: &[&str]) -> Terminal {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(ROWS.get(), COLUMNS.get())).unwrap();
        let command = Command::new(parkwatt()).args(args).envs(machine.variables()).env("TERM", "xterm");
        let child = command.env_remove("PARKWATT_KEY").env_remove("XDG_CONFIG_HOME").spawn(pts).unwrap();
        let (told, written) = mpsc::channel();
        let mut reader = File::from(pty.as_fd().try_clone_to_owned().unwrap());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(len) = reader.read(&mut bytes)
                && told.send(bytes[..len].to_vec()).is_ok()
            {}
        });
        Terminal { pty, child, written, screen: vt100::Parser::new(ROWS, COLUMNS, 0) }
    }

    /// Waits until the screen shows what is waited for, and returns all that stands on it.
    #[track_caller]
    pub fn until(&mut self, shows: impl Fn(&str) -> bool) -> String {
        loop {
            let screen = self.screen.screen().contents();
            if shows(&screen) {
                return screen;
            }
            match self.written.recv_timeout(PATIENCE) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(problem) => panic!("{problem}:\n{screen}"),
            }
        }
    }

    /// Presses keys, as the terminal sends them.
    pub fn press(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).unwrap();
    }

    /// Returns the command's exit code, once it has ended.
    pub fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // OK because: a command that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
