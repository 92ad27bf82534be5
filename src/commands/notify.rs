//! Tells a service manager how far the service has come: the protocol of sd_notify(3).
//!
//! One datagram per word, to the socket that `NOTIFY_SOCKET` names; nothing where no manager asks.
//! That is all that systemd's library does with it, too, so there is no dependency for it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The service answers.
pub(super) const READY: &str = "READY=1";

/// The service looks for another package; `READY` follows.
pub(super) const RELOADING: &str = "RELOADING=1";

/// The service has begun to stop.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Tells it, if somebody wants to know. Whether it arrives is the manager's affair.
pub(super) fn notify(word: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match name.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let send = |address| UnixDatagram::unbound()?.send_to_addr(word.as_bytes(), &address);
    let _: std::io::Result<usize> = address.and_then(send);
}
