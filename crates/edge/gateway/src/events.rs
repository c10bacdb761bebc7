//! An event stream. Told to leave, it ends between two events, and the client comes back by itself. One that is compressed
//! goes on until its time is over.

use std::task::{Context, Poll, ready};

use adsum_forward::EventScanner;
use bytes::Bytes;
use hyper::body::Frame;

use crate::answer::{Cut, Delivery};
use crate::farewell::{Call, Farewell};

pub(crate) struct Events {
    delivery: Delivery,
    /// None where nobody but the client can read where an event ends.
    scanner: Option<EventScanner>,
    farewell: Farewell,
    leaving: bool,
    ended: bool,
}

impl Events {
    pub(crate) fn new(delivery: Delivery, farewell: Farewell, readable: bool) -> Events {
        let scanner = readable.then(EventScanner::default);
        Events { delivery, scanner, farewell, leaving: false, ended: false }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        while let Poll::Ready(call) = self.farewell.poll(cx) {
            match call {
                Call::Leave => self.leaving = true,
                Call::Cut => return Poll::Ready(Some(Err(self.cut()))),
            }
        }
        if self.leaving && self.scanner.is_some_and(|scanner| scanner.is_at_boundary()) {
            self.end();
            return Poll::Ready(None);
        }
        let Some(frame) = ready!(self.delivery.poll_next(cx)) else {
            self.end();
            return Poll::Ready(None);
        };
        Poll::Ready(Some(frame.map(|frame| self.scan(frame))))
    }

    /// Up to the end of an event and no further, when it is time to leave.
    fn scan(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let Some(scanner) = &mut self.scanner else { return frame };
        let mut data = match frame.into_data() {
            Ok(data) => data,
            Err(trailers) => return trailers,
        };
        let boundaries = scanner.feed(&data);
        if let Some(end) = boundaries.first.filter(|_| self.leaving) {
            data.truncate(end);
            self.end();
        }
        Frame::data(data)
    }

    fn cut(&mut self) -> Cut {
        self.delivery.count_cut();
        self.end();
        Cut::Drained
    }

    /// The instance's connection is closed with it, if its answer has not ended.
    fn end(&mut self) {
        self.ended = true;
        self.delivery.close();
    }
}
