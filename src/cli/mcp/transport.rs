//! Messages over stdin and stdout, the last of which is answered, too.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{ClientNotification, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::Notify;

/// Says that the input has ended only when everything that came in was answered: who hears of the end gives work that is
/// under way a few seconds and no more.
pub(super) struct UntilAnswered<R: AsyncRead, W: AsyncWrite> {
    lines: AsyncRwTransport<RoleServer, R, W>,
    open: Arc<Open>,
    ended: bool,
}

/// Requests without an answer.
#[derive(Default)]
struct Open {
    ids: Mutex<HashSet<RequestId>>,
    fewer: Notify,
}

impl Open {
    fn add(&self, id: RequestId) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    fn remove(&self, id: &RequestId) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.fewer.notify_waiters();
    }

    fn is_empty(&self) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    async fn none(&self) {
        loop {
            let fewer = self.fewer.notified();
            tokio::pin!(fewer);
            // From here on it hears of every answer.
            fewer.as_mut().enable();
            if self.is_empty() {
                return;
            }
            fewer.await;
        }
    }
}

impl UntilAnswered<tokio::io::Chain<tokio::fs::File, &'static [u8]>, tokio::fs::File> {
    /// Over the standard streams of the process.
    ///
    /// # Errors
    /// When they are closed.
    pub(super) fn over_stdio() -> io::Result<Self> {
        let (stdin, stdout) = (own(io::stdin())?, own(io::stdout())?);
        // The last line may lack its end.
        let input = tokio::fs::File::from_std(stdin).chain(&b"\n"[..]);
        let lines = AsyncRwTransport::new_server(input, tokio::fs::File::from_std(stdout));
        Ok(Self { lines, open: Arc::default(), ended: false })
    }
}

#[cfg(unix)]
fn own(stream: impl std::os::fd::AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn own(stream: impl std::os::windows::io::AsHandle) -> io::Result<File> {
    Ok(stream.as_handle().try_clone_to_owned()?.into())
}

impl<R, W> Transport<RoleServer> for UntilAnswered<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let answered = match &message {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            _ => None,
        };
        let (sent, open) = (self.lines.send(message), Arc::clone(&self.open));
        async move {
            let sent = sent.await;
            if let Some(id) = answered {
                open.remove(&id);
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        if !self.ended {
            match self.lines.receive().await {
                Some(message) => {
                    match &message {
                        JsonRpcMessage::Request(request) => self.open.add(request.id.clone()),
                        JsonRpcMessage::Notification(notification) => {
                            // What is cancelled is not answered.
                            if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                                && let Some(id) = &cancelled.params.request_id
                            {
                                self.open.remove(id);
                            }
                        }
                        _ => {}
                    }
                    return Some(message);
                }
                None => self.ended = true,
            }
        }
        self.open.none().await;
        None
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.lines.close().await
    }
}
