//! Any bytes: what passes the checks links, and what was written once is written the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbpl::blob::{Blob, Mode, Options, encode, validate};

fuzz_target!(|bytes: &[u8]| {
    let options = Options::default();
    let Ok(blob) = Blob::parse(bytes, &options) else { return };
    let mut end = 0;
    blob.dump(|row| {
        assert_eq!(row.offset, end);
        end += row.length;
    });
    assert_eq!(end, bytes.len());
    let valid = validate(bytes, &options, Mode::Permissive).is_ok_and(|report| report.valid);
    assert!(!valid || blob.link().is_ok());
    let Ok(Ok(once)) = blob.program().map(|program| encode(&program)) else { return };
    let options = Options { generation: Some(blob.header().generation), ..options };
    let again = Blob::parse(&once, &options).and_then(|blob| blob.program()).map(|program| encode(&program));
    assert_eq!(again, Ok(Ok(once)));
});
