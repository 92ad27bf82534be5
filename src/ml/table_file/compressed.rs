//! Bytes that are compressed as a whole, by gzip or zstd: told by their first bytes.

use std::io::Read;

use anyhow::Context;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The bytes as they were before they were compressed, or as they are.
///
/// # Errors
/// When they are damaged.
pub(super) fn opened(bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::new();
    if bytes.starts_with(GZIP_MAGIC) {
        // A file may be several streams, one after the other: `cat a.gz b.gz`.
        let mut decoder = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        decoder.read_to_end(&mut plain).context("the gzip data is damaged")?;
        return Ok(plain);
    }
    if bytes.starts_with(ZSTD_MAGIC) {
        zstd::stream::copy_decode(bytes.as_slice(), &mut plain)
            .context("the zstd data is damaged")?;
        return Ok(plain);
    }
    Ok(bytes)
}
