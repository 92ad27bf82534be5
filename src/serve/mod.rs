//! The HTTP service: predictions from a package, and a health that is proved.
