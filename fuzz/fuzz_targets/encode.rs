//! Any bytes that are a blob: written again from what was read, it answers every request as before.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbpl::blob::{Blob, Options, Program, Roots, encode};
use sbpl::decide::{Graph, Request};
use sbpl::vocab::OpId;

/// The name of the first profile of a collection.
fn profile(program: &Program) -> Option<&str> {
    match &program.roots {
        Roots::Single(_) => None,
        Roots::Collection { profiles, .. } => profiles.first().and_then(|profile| str::from_utf8(&profile.name).ok()),
    }
}

fuzz_target!(|input: (u8, &str, &[u8])| {
    let (operation, path, bytes) = input;
    let options = Options::default();
    let Ok(blob) = Blob::parse(bytes, &options) else { return };
    let Ok(first) = blob.program() else { return };
    let Ok(written) = encode(&first) else { return };
    let options = Options { generation: Some(blob.header().generation), ..options };
    let again = Blob::parse(&written, &options).expect("what was written can be read");
    let second = again.program().expect("what was written links");
    let (Ok(before), Ok(after)) = (Graph::new(&first, profile(&first)), Graph::new(&second, profile(&second))) else {
        return;
    };
    let mut request = Request::new(OpId(operation)).with_path(format!("/{path}"));
    for closed in [false, true] {
        request.closed = closed;
        assert_eq!(before.decide(&request).answer, after.decide(&request).answer);
    }
});
