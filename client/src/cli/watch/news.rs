//! When to look again: the node's streams say that something has changed.
//!
//! Knows that there is news, and not what it says: the picture is read anew, so that it is of one moment.

use std::pin::Pin;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use parkwatt_client::ClientError;
use parkwatt_client::v1::{StreamExecutionsRequest, StreamMarketRequest};
use tokio_stream::{Stream, StreamExt, once};

use super::Seen;

/// For how long news is gathered before the picture is drawn anew: nobody reads more than ten of them a second.
const GATHER: Duration = Duration::from_millis(100);

/// What tells of changes in what is shown.
pub struct News {
    /// A word for each change; nothing where a stream has ended, or did not begin.
    words: Option<Pin<Box<dyn Stream<Item = Word>>>>,
}

/// Whether something came, or a stream has ended.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Change,
    End,
}

impl News {
    /// Follows the day that is shown, and the caller's executions from now on.
    pub async fn of(seen: &Seen, key: Option<&SigningKey>) -> News {
        News { words: follow(seen, key).await.ok() }
    }

    /// Whether a stream has ended, so that its changes are not told any more.
    pub fn has_ended(&self) -> bool {
        self.words.is_none()
    }

    /// Waits for news, and for what comes with it; for ever where nothing tells any.
    pub async fn come(&mut self) {
        if self.has_ended() {
            return std::future::pending().await;
        }
        self.next().await;
        // OK because that no more comes in time is what is waited for.
        let _ = tokio::time::timeout(GATHER, async {
            while !self.has_ended() {
                self.next().await;
            }
        })
        .await;
    }

    async fn next(&mut self) {
        if let Some(words) = &mut self.words
            && words.next().await != Some(Word::Change)
        {
            self.words = None;
        }
    }
}

async fn follow(
    seen: &Seen,
    key: Option<&SigningKey>,
) -> Result<Pin<Box<dyn Stream<Item = Word>>>, ClientError> {
    let desk = &seen.desk;
    let request = StreamMarketRequest {
        market: desk.genesis.market.clone(),
        slots: seen.slots.clone().collect(),
        after_tree_size: None,
    };
    let market = words(desk.connection.stream_market(request).await?);
    let Some(key) = key else { return Ok(Box::pin(market)) };
    let from_now = StreamExecutionsRequest { from_index: desk.tree_size, until_index: None };
    let own = words(desk.connection.stream_executions(&desk.session(key), from_now).await?);
    Ok(Box::pin(market.merge(own)))
}

fn words<T>(stream: impl Stream<Item = Result<T, ClientError>>) -> impl Stream<Item = Word> {
    let word = |it: Result<T, ClientError>| if it.is_ok() { Word::Change } else { Word::End };
    stream.map(word).chain(once(Word::End))
}
