//! The steps room.
