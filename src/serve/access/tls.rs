//! TLS: certificates that are read, renewed, and shown to clients; and those that clients show.
//!
//! rustls on ring: TLS 1.3, and 1.2 with forward secrecy and authenticated ciphers alone, for
//! clients that know no better. There is nothing to be configured about that, since rustls has no
//! suite that ought to be turned off. A client must offer HTTP/1.1 if it offers anything (ALPN).
//! Files that change are read again; connections that stand keep what they began with, and a file
//! that went bad changes nothing. Knows no HTTP: what comes out is a stream like any other, so that
//! everything behind it reads what was decrypted.

use std::fmt;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{Error as TlsError, InconsistentKeys, RootCertStore, ServerConfig};

use super::watched::{self, Unusable, Watched};
use crate::serve::listen::Stream;

/// The only protocol that is spoken.
const PROTOCOL: &[u8] = b"http/1.1";

/// Where certificates are, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The service's own, first, and those that lead from it to one that clients trust.
    pub cert: PathBuf,
    /// The key of the first.
    pub key: PathBuf,
    /// Who must have signed the certificates of clients; unless it is given, they need none.
    pub client_ca: Option<PathBuf>,
}

/// The service's side of TLS.
pub struct Tls {
    files: Certificates,
    watched: Mutex<Watched>,
    acceptor: RwLock<TlsAcceptor>,
    failed: AtomicU64,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the certificates and the key.
    ///
    /// # Errors
    /// Which file is missing, or what is wrong with it, and how that is mended.
    pub fn open(files: Certificates) -> Result<Tls, Unusable> {
        let Certificates { cert, key, client_ca } = &files;
        let paths = [cert, key].into_iter().chain(client_ca).cloned().collect();
        let watched = Mutex::new(Watched::new(paths));
        let acceptor = RwLock::new(acceptor(&files)?);
        Ok(Tls { files, watched, acceptor, failed: AtomicU64::new(0) })
    }

    /// Whether clients must show a certificate.
    pub fn knows_clients(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// The file of the key, if others can read it.
    pub fn readable(&self) -> Option<&Path> {
        Some(&*self.files.key).filter(|path| watched::open_to_others(path) & 4 != 0)
    }

    /// How many handshakes came to nothing.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Reads the files again if they have changed; new connections then get what they hold.
    pub(crate) fn refresh(&self) -> Option<Result<String, Unusable>> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if !watched.have_changed() {
            return None;
        }
        Some(acceptor(&self.files).map(|acceptor| {
            *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
            let cert = self.files.cert.display();
            format!("new connections get the certificate that is in `{cert}` now")
        }))
    }

    /// Shakes hands with a client; nothing comes of one that does not know how, or is not let in.
    pub(crate) async fn accept(&self, stream: Box<dyn Stream>) -> Option<Box<dyn Stream>> {
        let acceptor = self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone();
        let attempt = Attempt { failed: &self.failed, is_done: false };
        let stream = acceptor.accept(stream).await.ok()?;
        attempt.succeed();
        Some(Box::new(stream))
    }
}

/// A handshake, which has failed unless it has succeeded: also when nobody waits for it any more.
struct Attempt<'t> {
    failed: &'t AtomicU64,
    is_done: bool,
}

impl Attempt<'_> {
    fn succeed(mut self) {
        self.is_done = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.failed.fetch_add(u64::from(!self.is_done), Ordering::Relaxed);
    }
}

/// What shakes hands by the files as they are now.
fn acceptor(files: &Certificates) -> Result<TlsAcceptor, Unusable> {
    let chain = certificates("the certificate", &files.cert)?;
    let key = private_key(&files.key)?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Unusable::Wrong(format!("TLS: {error}")))?;
    let config = match &files.client_ca {
        Some(path) => config.with_client_cert_verifier(verifier(path, provider)?),
        None => config.with_no_client_auth(),
    };
    let mut config = config.with_single_cert(chain, key).map_err(|e| mismatch(files, &e))?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What tells clients apart that a certificate authority has signed.
fn verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Unusable> {
    let shown = path.display();
    let mut roots = RootCertStore::empty();
    for certificate in certificates("the certificates of clients' authorities", path)? {
        roots.add(certificate).map_err(|error| {
            let message = format!("`{shown}` holds a certificate that is of no use: {error}");
            Unusable::Wrong(message)
        })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| Unusable::Wrong(format!("`{shown}`: {error}")))
}

/// The certificates of a file, of which there must be one.
fn certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let (shown, bytes) = (path.display(), watched::read(what, path)?);
    let found =
        CertificateDer::pem_reader_iter(BufReader::new(&*bytes)).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| broken(path, &error))?;
    if found.is_empty() {
        let hint = match has(&bytes, "PRIVATE KEY-----") {
            true => ", but a key: are `tls_cert` and `tls_key` exchanged?",
            false => ": it must be PEM, with a line `-----BEGIN CERTIFICATE-----`",
        };
        return Err(Unusable::Wrong(format!("`{shown}` holds no certificate{hint}")));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    let (shown, bytes) = (path.display(), watched::read("the key", path)?);
    let is_encrypted =
        has(&bytes, "BEGIN ENCRYPTED PRIVATE KEY-----") || has(&bytes, "Proc-Type: 4,ENCRYPTED");
    if is_encrypted {
        let message = format!(
            "the key in `{shown}` is encrypted, and nobody is there to type its passphrase: \
             `openssl pkey -in {shown} -out KEY` writes it without one"
        );
        return Err(Unusable::Wrong(message));
    }
    match PrivateKeyDer::from_pem_reader(BufReader::new(&*bytes)) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) => {
            let hint = match has(&bytes, "BEGIN CERTIFICATE-----") {
                true => ", but a certificate: are `tls_cert` and `tls_key` exchanged?",
                false => ": it must be PEM, with a line `-----BEGIN PRIVATE KEY-----`",
            };
            Err(Unusable::Wrong(format!("`{shown}` holds no key{hint}")))
        }
        Err(error) => Err(broken(path, &error)),
    }
}

/// A file that is PEM as far as its first lines go. Of what is in it nothing is told, since that
/// may be a key.
fn broken(path: &Path, error: &PemError) -> Unusable {
    let why = match error {
        PemError::MissingSectionEnd { .. } => "a section has no line `-----END …-----`",
        PemError::Base64Decode(_) => "a section is no base64",
        _ => "a section does not begin as one must",
    };
    Unusable::Wrong(format!("`{}` is no whole PEM: {why}", path.display()))
}

/// A certificate and a key that cannot be used together.
fn mismatch(files: &Certificates, error: &TlsError) -> Unusable {
    let (cert, key) = (files.cert.display(), files.key.display());
    let message = match error {
        TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
            "the key in `{key}` is not that of the first certificate in `{cert}`: the service's \
             own must come before those that signed it"
        ),
        error => {
            format!("the certificate in `{cert}` and the key in `{key}` are of no use: {error}")
        }
    };
    Unusable::Wrong(message)
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
