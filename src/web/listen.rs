//! Where the page listens, as a setting says it.

use std::{fmt, io, net::SocketAddr};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// Where the page is by default.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7480);

/// Where the page listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum WebListen {
    /// On 127.0.0.1:7480, or where that is taken on a free port beside it, so that a second node starts as well.
    #[default]
    Auto,
    /// There is no page.
    Nowhere,
    /// Here, and nowhere else; port 0 takes a free one.
    At(SocketAddr),
}

impl WebListen {
    /// Returns where a page would be, in a sentence.
    pub fn in_words(self) -> String {
        match self {
            WebListen::Nowhere => "There would be no page for browsers (web_listen = \"none\").".to_owned(),
            WebListen::Auto => {
                format!("Its page for browsers would be on {USUAL}, or on a free port where that is taken.")
            }
            WebListen::At(address) => format!("Its page for browsers would be on {address}."),
        }
    }

    /// Returns the usual port, if a page that is at `address` is not there because somebody else is.
    pub fn taken_port(self, address: SocketAddr) -> Option<u16> {
        (self == WebListen::Auto && address != USUAL).then_some(USUAL.port())
    }

    /// Begins to listen; nothing where there is no page.
    ///
    /// # Errors
    /// The address that was not to be had, and why.
    pub async fn bind(self) -> Result<Option<TcpListener>, (SocketAddr, io::Error)> {
        let at = |address: SocketAddr| async move {
            TcpListener::bind(address).await.map(Some).map_err(|problem| (address, problem))
        };
        match self {
            WebListen::Nowhere => Ok(None),
            WebListen::At(address) => at(address).await,
            WebListen::Auto => match at(USUAL).await {
                Err((_, problem)) if problem.kind() == io::ErrorKind::AddrInUse => {
                    at(SocketAddr::new(USUAL.ip(), 0)).await
                }
                bound => bound,
            },
        }
    }
}

impl TryFrom<String> for WebListen {
    type Error = String;

    fn try_from(text: String) -> Result<WebListen, String> {
        match text.as_str() {
            "auto" => Ok(WebListen::Auto),
            "none" => Ok(WebListen::Nowhere),
            address => address.parse().map(WebListen::At).map_err(|_| {
                format!("'{address}' is neither \"auto\", \"none\" nor an address such as 127.0.0.1:7480")
            }),
        }
    }
}

impl From<WebListen> for String {
    fn from(it: WebListen) -> String {
        it.to_string()
    }
}

impl fmt::Display for WebListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebListen::Auto => f.write_str("auto"),
            WebListen::Nowhere => f.write_str("none"),
            WebListen::At(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_is_no_address_is_named() {
        for text in ["auto", "none", "0.0.0.0:80", "[::1]:7480"] {
            assert_eq!(WebListen::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        let problem = WebListen::try_from("7480".to_owned()).unwrap_err();
        assert!(problem.starts_with("'7480' is neither"), "{problem}");
    }

    #[tokio::test]
    async fn a_second_page_takes_another_port_unless_it_was_told_where_to_be() {
        let first = WebListen::Auto.bind().await.unwrap().unwrap();
        let second = WebListen::Auto.bind().await.unwrap().unwrap();
        let address = first.local_addr().unwrap();
        let elsewhere = second.local_addr().unwrap();
        assert_ne!(address, elsewhere);
        assert_eq!(WebListen::Auto.taken_port(elsewhere), Some(7480));
        assert_eq!(WebListen::At(elsewhere).taken_port(elsewhere), None);
        assert_eq!(WebListen::Auto.taken_port(USUAL), None);
        let (refused, problem) = WebListen::At(address).bind().await.unwrap_err();
        assert_eq!((refused, problem.kind()), (address, io::ErrorKind::AddrInUse));
        assert!(WebListen::Nowhere.bind().await.unwrap().is_none());
    }
}
