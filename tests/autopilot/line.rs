//! A line between a client and a node that stops in the middle of what the client says, and goes on later.
//!
//! Knows bytes and the frames of HTTP/2 (RFC 9113, section 4.1); does not know what they say.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, ExitStatus},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

/// How long the node may take to answer what comes late; it takes a few milliseconds.
const ANSWER_MAX: Duration = Duration::from_mins(1);
/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The types of frames that carry a message, and what comes before and behind it.
const MESSAGE: [u8; 2] = [0, 1];
/// The flag of the last frame that somebody sends on a stream.
const END_STREAM: u8 = 1;
/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The line.
pub struct Line {
    /// Where a client finds it.
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// How many requests still go through to the node.
    left: usize,
    /// The piece at which it stopped, the last one of a request, and where it goes.
    held: Option<(Vec<u8>, TcpStream)>,
    /// What the node said.
    answered: Vec<u8>,
}

impl Line {
    /// Lays a line to a node, which stops at the end of the request behind so many of a client's.
    pub fn to(node: SocketAddr, requests: usize) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new((Mutex::new(State { left: requests, ..State::default() }), Condvar::new()));
        let shared = state.clone();
        std::thread::spawn(move || {
            // OK because: the thread ends with the test's process.
            for client in listener.incoming().flatten() {
                let node = TcpStream::connect(node).unwrap();
                let (back, to) = (node.try_clone().unwrap(), client.try_clone().unwrap());
                let (said, heard) = (shared.clone(), shared.clone());
                std::thread::spawn(move || forth(client, node, &said));
                std::thread::spawn(move || fro(back, to, &heard));
            }
        });
        Line { address, state }
    }

    /// Waits until the line stops, or the client ends by itself, whose status is returned then.
    pub fn stopped(&self, client: &mut Child) -> Option<ExitStatus> {
        let (state, changed) = &*self.state;
        let mut locked = state.lock().unwrap();
        while locked.held.is_none() {
            if let Some(status) = client.try_wait().unwrap() {
                return Some(status);
            }
            locked = changed.wait_timeout(locked, LOOK).unwrap().0;
        }
        None
    }

    /// Lets the request through at which the line stopped, and returns what the node says to it.
    pub fn go_on(&self) -> Vec<u8> {
        let (state, changed) = &*self.state;
        let mut locked = state.lock().unwrap();
        let (piece, mut node) = locked.held.take().unwrap();
        let stream = ended(&piece)[0];
        locked.answered.clear();
        // OK because: a node that has closed the connection has taken nothing.
        let _ = node.write_all(&piece);
        let waits = |state: &mut State| !ended(&state.answered).contains(&stream);
        let (locked, late) = changed.wait_timeout_while(locked, ANSWER_MAX, waits).unwrap();
        assert!(!late.timed_out(), "the node answers a whole request");
        locked.answered.clone()
    }
}

/// Returns the streams that these frames end; a request and an answer have one each.
fn ended(bytes: &[u8]) -> Vec<u32> {
    let mut frames = bytes.strip_prefix(PREFACE).unwrap_or(bytes);
    let mut streams = Vec::new();
    while let [a, b, c, kind, flags, d, e, f, g, rest @ ..] = frames {
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if rest.len() < len {
            break;
        }
        if MESSAGE.contains(kind) && flags & END_STREAM != 0 {
            streams.push(u32::from_be_bytes([*d, *e, *f, *g]));
        }
        frames = &rest[len..];
    }
    streams
}

fn forth(mut client: TcpStream, mut node: TcpStream, shared: &(Mutex<State>, Condvar)) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(len @ 1..) = client.read(&mut piece) {
        let mut state = shared.0.lock().unwrap();
        let requests = ended(&piece[..len]).len();
        if requests > state.left {
            state.held.get_or_insert((piece[..len].to_vec(), node));
            shared.1.notify_all();
            return;
        }
        state.left -= requests;
        drop(state);
        if node.write_all(&piece[..len]).is_err() {
            break;
        }
    }
    // OK because: it may be closed already.
    let _ = node.shutdown(Shutdown::Both);
}

fn fro(mut node: TcpStream, mut client: TcpStream, shared: &(Mutex<State>, Condvar)) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(len @ 1..) = node.read(&mut piece) {
        shared.0.lock().unwrap().answered.extend(&piece[..len]);
        shared.1.notify_all();
        // OK because: the client may have been killed, and the node still has something to say.
        let _ = client.write_all(&piece[..len]);
    }
    let _ = client.shutdown(Shutdown::Both);
}
