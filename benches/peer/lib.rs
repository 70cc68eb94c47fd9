//! Nothing but benches: see `benches/decide.rs`.
