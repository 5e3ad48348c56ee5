//! Stepwell: arguments, logs, panic hook; wires the rooms together.

fn main() {}
