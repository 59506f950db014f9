//! The body of a request: it must arrive in time, and what nobody wanted to read is taken in all
//! the same as long as it is small.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::EXPECT;
use hyper::{HeaderMap, Request};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

/// Who is refused before the body was read still sends it, and would find a broken connection in
/// place of the answer if the listener closed with so many bytes or fewer unread.
const TAKEN_IN_BYTES: u64 = 1024 * 1024;

/// A request's body that must be there by a moment.
pub(super) struct Timed {
    /// Taken only when dropped.
    body: Option<Incoming>,
    until: Pin<Box<Sleep>>,
    /// Whether the client sends the body without waiting to be asked for it.
    comes_unasked: bool,
}

impl Timed {
    /// Wraps the body of a request.
    pub(super) fn wrap(request: Request<Incoming>, until: Instant) -> Request<Self> {
        let comes_unasked = !waits_to_be_asked(request.headers());
        let until = Box::pin(tokio::time::sleep_until(until));
        request.map(|body| Self { body: Some(body), until, comes_unasked })
    }
}

fn waits_to_be_asked(headers: &HeaderMap) -> bool {
    headers.contains_key(EXPECT)
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => match self.until.as_mut().poll(context) {
                Poll::Ready(()) => {
                    Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        let small = HttpBody::size_hint(&body).lower() <= TAKEN_IN_BYTES;
        if body.is_end_stream() || !small || !self.comes_unasked {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(take_in(body, self.until.deadline()));
        }
    }
}

async fn take_in(mut body: Incoming, until: Instant) {
    let mut taken = 0;
    let reading = async {
        while let Some(Ok(frame)) =
            std::future::poll_fn(|c| Pin::new(&mut body).poll_frame(c)).await
        {
            taken += frame.data_ref().map_or(0, |data| data.len() as u64);
            if taken > TAKEN_IN_BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout_at(until, reading).await;
}
