//! A connection whose handshake is made while it is first read.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::{Accept, server};

use super::Tls;
use crate::runtime::Runtime;

/// A connection over TLS.
pub struct TlsStream {
    state: State,
    peer: Option<IpAddr>,
}

enum State {
    Handshaking(Box<Handshake>),
    Open(Box<server::TlsStream<TcpStream>>),
    Failed,
}

struct Handshake {
    accept: Accept<TcpStream>,
    tls: Arc<Tls>,
    runtime: Runtime,
    _place: OwnedSemaphorePermit,
}

impl TlsStream {
    pub(super) fn new(stream: TcpStream, place: OwnedSemaphorePermit, tls: Arc<Tls>, runtime: Runtime) -> Self {
        let peer = stream.peer_addr().ok().map(|address| address.ip());
        let accept = tls.acceptor().accept(stream);
        Self { state: State::Handshaking(Box::new(Handshake { accept, tls, runtime, _place: place })), peer }
    }

    pub(super) const fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// Makes the handshake if it is not made, and gives what lies behind it.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut server::TlsStream<TcpStream>>>> {
        if let State::Handshaking(handshake) = &mut self.state {
            let Handshake { accept, tls, runtime, .. } = handshake.as_mut();
            self.state = match ready!(Pin::new(accept).poll(cx)) {
                Ok(stream) => State::Open(Box::new(stream)),
                Err(error) => {
                    tls.tell_of_failure(&error, runtime.now());
                    State::Failed
                }
            };
        }
        Poll::Ready(match &mut self.state {
            State::Open(stream) => Ok(Pin::new(stream.as_mut())),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        })
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_read(cx, into)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            // Nothing was written that could be flushed.
            State::Handshaking(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            State::Handshaking(handshake) => match handshake.accept.get_mut() {
                Some(stream) => Pin::new(stream).poll_shutdown(cx),
                None => Poll::Ready(Ok(())),
            },
            State::Failed => Poll::Ready(Ok(())),
        }
    }
}
