//! Streams: what becomes durable, told to those who follow it, each at his own pace.
//!
//! Each stream has a task, on a thread of theirs, that reads from what is at hand or from the store, and an outbox of so many bytes. Knows
//! pace, places and ends; what is told, `market` and `executions` know. Keeps: a reader who is too slow is ended with
//! a word from where he can go on; what waits for him is bounded, also behind that end, until he reads it or goes.

pub mod executions;
mod limits;
pub mod market;

use std::{
    collections::HashMap,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use parkwatt_engine::PublicKey;
use prost::Message;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
};
use tokio_stream::Stream;
use tonic::Status;
use tracing::info;

pub use limits::StreamLimits;

use crate::refusal::{Refused, StreamEnd};

/// The streams of a node.
pub struct Streams {
    /// What they may take.
    pub limits: StreamLimits,
    taken: Arc<Mutex<Taken>>,
    stopping: watch::Receiver<bool>,
    /// A thread for all of them: however much they have to tell, whoever waits for a receipt does not wait for it.
    thread: Option<Runtime>,
}

/// Who has a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Connection(Option<SocketAddr>),
    Key(PublicKey),
}

#[derive(Default)]
struct Taken {
    all: usize,
    by: HashMap<Whose, usize>,
}

/// A stream's place, free again when it is dropped.
struct Place {
    whose: Vec<Whose>,
    taken: Arc<Mutex<Taken>>,
}

/// Why a task has no more to tell.
enum End {
    /// Nobody listens.
    Gone,
    /// He hears this last.
    Because(Refused),
}

impl From<Refused> for End {
    fn from(why: Refused) -> End {
        End::Because(why)
    }
}

impl Streams {
    /// Returns a node without streams; all that come end when `stopping` turns true.
    pub fn new(limits: StreamLimits, stopping: watch::Receiver<bool>) -> Streams {
        let thread =
            Builder::new_multi_thread().worker_threads(1).thread_name("streams").enable_time().build();
        let thread = thread.expect("the system starts one thread for streams when the node starts");
        Streams { limits, taken: Arc::default(), stopping, thread: Some(thread) }
    }

    /// Opens a stream for a connection, and a key if it needs one: `run` tells through the outbox until it has no
    /// more to tell. `field` is the request's that says from where to go on.
    fn open<T, F>(
        &self,
        connection: Option<SocketAddr>,
        key: Option<PublicKey>,
        field: &'static str,
        run: impl FnOnce(Outbox<T>) -> F,
    ) -> Result<Told<T>, Refused>
    where
        T: Message + 'static,
        F: Future<Output = Result<(), End>> + Send + 'static,
    {
        let place = self.take(connection, key)?;
        let (messages, waiting) = mpsc::unbounded_channel();
        let outbox = Outbox {
            messages,
            room: Arc::new(Semaphore::new(self.limits.buffer_bytes_max as usize)),
            bytes_max: self.limits.buffer_bytes_max,
            stall: self.limits.stall(),
            stopping: self.stopping.clone(),
            field,
            go_on_from: None,
        };
        let (ending, end) = oneshot::channel();
        // Held until the end is there: it must not be missed.
        let held = outbox.messages.clone();
        let running = run(outbox);
        let thread = self.thread.as_ref().expect("the thread ends with the streams");
        thread.spawn(async move {
            if let Err(End::Because(why)) = running.await {
                info!(?connection, %why, "a stream was ended");
                let _ = ending.send(Status::from(why));
            }
            drop(held);
        });
        Ok(Told { waiting, end, _place: place })
    }

    fn take(&self, connection: Option<SocketAddr>, key: Option<PublicKey>) -> Result<Place, Refused> {
        let StreamLimits { open_max, per_connection_max, per_key_max, .. } = self.limits;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= open_max {
            return Err(Refused::TooManyStreams { whose: "this node", max: open_max });
        }
        let mut whose = vec![(Whose::Connection(connection), "this connection", per_connection_max)];
        whose.extend(key.map(|key| (Whose::Key(key), "this key", per_key_max)));
        let count = |whose: &Whose| taken.by.get(whose).copied().unwrap_or_default();
        if let Some((_, name, max)) = whose.iter().find(|(whose, _, max)| count(whose) >= *max) {
            return Err(Refused::TooManyStreams { whose: name, max: *max });
        }
        let whose: Vec<Whose> = whose.into_iter().map(|(whose, ..)| whose).collect();
        taken.all += 1;
        for whose in &whose {
            *taken.by.entry(*whose).or_default() += 1;
        }
        Ok(Place { whose, taken: self.taken.clone() })
    }
}

impl Drop for Streams {
    /// Ends the thread without waiting for it: this may be a thread that must not wait.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        for whose in &self.whose {
            if let Some(count) = taken.by.get_mut(whose) {
                *count -= 1;
                if *count == 0 {
                    taken.by.remove(whose);
                }
            }
        }
    }
}

/// A message that waits, and the room that it takes.
type Waiting<T> = (T, OwnedSemaphorePermit);

/// Where a task puts what it tells.
struct Outbox<T> {
    messages: mpsc::UnboundedSender<Waiting<T>>,
    room: Arc<Semaphore>,
    bytes_max: u32,
    stall: Duration,
    stopping: watch::Receiver<bool>,
    field: &'static str,
    go_on_from: Option<u64>,
}

impl<T: Message> Outbox<T> {
    /// Tells, once there is room. Who has heard it goes on from `then`; none where he must begin anew.
    async fn tell(&mut self, message: T, then: Option<u64>) -> Result<(), End> {
        let bytes = u32::try_from(message.encoded_len()).unwrap_or(u32::MAX).clamp(1, self.bytes_max);
        let room = self.room.clone().acquire_many_owned(bytes);
        let stall = self.stall;
        let granted = async { tokio::time::timeout(stall, room).await.ok() };
        let Some(Ok(permit)) = self.unless_over(granted).await? else {
            return Err(self.ended(StreamEnd::TooSlow));
        };
        self.go_on_from = then;
        self.messages.send((message, permit)).map_err(|_| End::Gone)?;
        // Other streams come before the next message of this one.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Waits for something, unless nobody listens any more or the node stops.
    async fn unless_over<R>(&mut self, something: impl Future<Output = R>) -> Result<R, End> {
        let why = tokio::select! {
            // The ends first: there may always be room.
            biased;
            () = self.messages.closed() => return Err(End::Gone),
            _ = self.stopping.wait_for(|stopping| *stopping) => StreamEnd::Stopping,
            done = something => return Ok(done),
        };
        Err(self.ended(why))
    }

    /// Returns the last word, with that from where he can go on.
    fn ended(&self, why: StreamEnd) -> End {
        let (field, go_on_from) = (self.field, self.go_on_from);
        End::Because(Refused::StreamEnded { why, field, go_on_from })
    }
}

/// What a reader takes, at his own pace: what was told, and then why it ended.
pub struct Told<T> {
    waiting: mpsc::UnboundedReceiver<Waiting<T>>,
    end: oneshot::Receiver<Status>,
    /// Held as long as anything may wait for him.
    _place: Place,
}

impl<T> Stream for Told<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match ready!(self.waiting.poll_recv(context)) {
            Some((message, _room)) => Poll::Ready(Some(Ok(message))),
            None => Poll::Ready(self.end.try_recv().ok().map(Err)),
        }
    }
}

#[cfg(test)]
mod tests {
    use parkwatt_proto::v1::Execution;
    use tokio_stream::StreamExt;
    use tonic::Code;

    use super::*;

    fn streams(limits: StreamLimits) -> (watch::Sender<bool>, Streams) {
        let (stop, stopping) = watch::channel(false);
        (stop, Streams::new(limits, stopping))
    }

    /// Opens a stream that tells without end.
    fn counting(streams: &Streams) -> Result<Told<Execution>, Refused> {
        streams.open(None, Some([1; 32]), "from_index", |mut outbox| async move {
            let mut index = 1;
            loop {
                outbox.tell(Execution { leaf_index: index, ..Execution::default() }, Some(index + 1)).await?;
                index += 1;
            }
        })
    }

    /// Reads behind the first `last`.
    async fn read(mut told: Told<Execution>, mut last: u64) -> (u64, Status) {
        loop {
            match told.next().await.unwrap() {
                Ok(execution) => {
                    assert_eq!(execution.leaf_index, last + 1);
                    last = execution.leaf_index;
                }
                Err(status) => return (last, status),
            }
        }
    }

    #[tokio::test]
    async fn who_does_not_read_is_told_where_he_was_behind_what_waited_for_him() {
        let limits = StreamLimits { buffer_bytes_max: 100, stall_ms: 20, ..StreamLimits::default() };
        let (_stop, streams) = streams(limits);
        let told = counting(&streams).unwrap();
        while told.waiting.sender_strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        let (last, status) = read(told, 0).await;
        assert_eq!(last, 50, "two bytes each, and 100 bytes of room");
        assert_eq!(status.code(), Code::Aborted);
        assert!(status.message().contains("go on with from_index = 51"), "{status}");
    }

    #[tokio::test]
    async fn streams_end_when_the_node_stops() {
        let (stop, streams) = streams(StreamLimits::default());
        let mut told = counting(&streams).unwrap();
        assert_eq!(told.next().await.unwrap().unwrap().leaf_index, 1);
        stop.send(true).unwrap();
        let (last, status) = read(told, 1).await;
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains(&format!("from_index = {}", last + 1)), "{status}");
    }

    #[tokio::test]
    async fn places_are_counted_by_connection_key_and_node_and_are_free_again() {
        let of = |open_max, per_connection_max, per_key_max| StreamLimits {
            open_max,
            per_connection_max,
            per_key_max,
            ..StreamLimits::default()
        };
        for (limits, whose) in
            [(of(2, 9, 9), "this node"), (of(9, 2, 9), "this connection"), (of(9, 9, 2), "this key")]
        {
            let (_stop, streams) = streams(limits);
            let first = counting(&streams).unwrap();
            let _second = counting(&streams).unwrap();
            let refused = counting(&streams).err().unwrap();
            assert_eq!(refused.code(), Code::ResourceExhausted);
            assert!(refused.to_string().contains(&format!("{whose} has 2 streams")), "{refused}");
            drop(first);
            let _third = counting(&streams).unwrap();
        }
    }
}
