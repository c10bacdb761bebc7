//! The way to a keeper before there is a handle on it: for whoever may still turn back, and for whoever cannot wait.

use adsum_model::Offer;
use tokio::sync::{mpsc, watch};

use super::link::{self, Link};
use super::session::Session;
use super::{Config, Error, Keeper};
use crate::TreeKind;
use crate::wire::{Hello, PROTOCOL};

/// Nothing is asked of the keeper, and none is replaced, before [`Access::begin`].
#[derive(Debug)]
pub struct Access {
    config: Config,
    hello: Hello,
    /// None when it is to be looked for.
    link: Option<Link>,
}

impl Access {
    /// To the keeper of `config.dir`, or to one that is started, detached from this process, when there is none.
    pub async fn seek(config: Config) -> Result<Access, Error> {
        let link = link::find(&config).await?;
        if link.is_understood() {
            return Ok(Access::by(config, link));
        }
        // It ends when its connection is made anew, and not sooner.
        Ok(Access { config, hello: link.hello, link: None })
    }

    /// To one that cannot be had now. The handle looks for it, again and again; until then it says that its process is 0.
    pub fn later(config: Config) -> Access {
        let (cluster, tree, offer) = (config.cluster.clone(), TreeKind::ProcessGroup, Offer::default());
        let hello = Hello { protocol: PROTOCOL, pid: 0, cluster, tree, offer };
        Access { config, hello, link: None }
    }

    pub(super) fn by(config: Config, link: Link) -> Access {
        Access { config, hello: link.hello.clone(), link: Some(link) }
    }

    /// From here on the keeper is this process's, and one of another protocol version is replaced.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn begin(self) -> Keeper {
        let Access { config, hello, link } = self;
        let timeout = config.timeout;
        let (asks, asked) = mpsc::channel(64);
        let (change, generation) = watch::channel(0);
        let (greet, hello) = watch::channel(hello);
        tokio::spawn(Session::new(config, asked, change, greet).run(link));
        Keeper { asks, generation, hello, timeout }
    }
}
