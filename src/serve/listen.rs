//! Where clients come in: a TCP port or a Unix socket, and who they are.
//!
//! A Unix socket is a file, so it has what files have: permissions, and a way to be left behind by
//! a process that was killed. It is bound under another name, given its permissions and renamed,
//! so that it is never there with wider ones; one that nobody listens on is replaced, any other
//! file is left alone. Knows nothing of HTTP.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

/// The stream of a client.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Where clients come in.
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(Socket),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        Listener::Tcp(listener)
    }
}

impl From<Socket> for Listener {
    fn from(socket: Socket) -> Listener {
        Listener::Unix(socket)
    }
}

/// A client that has come in.
pub(crate) struct Client {
    pub(crate) stream: Box<dyn Stream>,
    /// Where from; nothing of a Unix socket.
    pub(crate) address: Option<IpAddr>,
}

impl Listener {
    /// Takes the next client, if one waits.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Client>> {
        match self {
            Listener::Tcp(listener) => listener.poll_accept(cx).map_ok(|(stream, address)| {
                // Answers are written whole; waiting for more to send with them only costs time.
                let _ = stream.set_nodelay(true);
                let address = Some(address.ip().to_canonical());
                Client { stream: Box::new(stream), address }
            }),
            Listener::Unix(socket) => socket
                .listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Client { stream: Box::new(stream), address: None }),
        }
    }
}

/// A Unix socket that is removed when it is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// What tells that the file is still this socket.
    inode: (u64, u64),
}

impl Socket {
    /// Listens on a path, for those whom the permissions (as of `chmod`) let write there.
    ///
    /// # Errors
    /// `AddrInUse` when a program listens there, `AlreadyExists` when the path is another file, and
    /// whatever else the system says.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Socket> {
        make_room(path)?;
        let mut name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}", std::process::id()));
        let beside = path.with_file_name(name);
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside)?;
        let published = fs::set_permissions(&beside, Permissions::from_mode(mode))
            .and_then(|()| fs::rename(&beside, path))
            .and_then(|()| fs::symlink_metadata(path));
        let metadata = published.inspect_err(|_| drop(fs::remove_file(&beside)))?;
        let inode = (metadata.dev(), metadata.ino());
        Ok(Socket { listener, path: path.to_owned(), inode })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path).ok();
        if found.is_some_and(|metadata| (metadata.dev(), metadata.ino()) == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Finds nothing at the path, or a socket that was left behind.
fn make_room(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_socket_is_bound_over_one_that_was_left_behind_and_over_nothing_else() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let refused = |path: &Path| Socket::bind(path, 0o600).err().map(|error| error.kind());

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = Socket::bind(&path, 0o600).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(refused(&path), Some(ErrorKind::AddrInUse));
        assert!(path.exists(), "the socket of another is left alone");
        drop(socket);
        assert!(!path.exists());

        let socket = Socket::bind(&path, 0o660).unwrap();
        assert_eq!(mode(&path), 0o660);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        drop(socket);
        assert_eq!(fs::read(&path).unwrap(), b"a file");
        assert_eq!(refused(&path), Some(ErrorKind::AlreadyExists));
        assert_eq!(refused(&dir.path().join("no/socket")), Some(ErrorKind::NotFound));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside");
    }
}
