//! The components that this binary carries.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
