//! The error codes of the command itself, in one table.

use crate::diag::Code;

/// Every code that only the command gives, with its meaning in one line, ascending.
pub(super) const CODES: &[(Code, &str)] = &[
    (Code("E0701"), "no target of that name"),
    (Code("E0702"), "-D without KEY=VALUE"),
    (Code("E0703"), "a limit that does not exist or is no number"),
    (Code("E0704"), "a file of parameters that is no JSON object of strings"),
    (Code("E0705"), "no manual page for that verb"),
    (Code("E0706"), "a manual page cannot be made"),
    (Code("E0707"), "no output is named"),
    (Code("E0708"), "which profile of a collection is meant is not said, or there is none of that name"),
    (Code("E0710"), "a file cannot be read"),
    (Code("E0711"), "a file is larger than the limit"),
    (Code("E0712"), "a file cannot be written"),
    (Code("E0713"), "an output file is also an input"),
    (Code("E0714"), "an output file lies in the bundle that is read"),
    (Code("E0720"), "no shim of that name"),
    (Code("E0721"), "a shim was not applied"),
    (Code("E0722"), "an output exists already"),
    (Code("E0730"), "the real libsandbox is not here"),
    (Code("E0731"), "the real libsandbox refused the profile"),
    (Code("E0732"), "the real libsandbox behaved as none does"),
    (Code("E0733"), "a text or parameter cannot be handed to the real libsandbox"),
    (Code("E0746"), "a compiled profile cannot be asked, or a collection has none of that name"),
    (Code("E0747"), "a path for an operation that takes none"),
    (Code("E0748"), "a folder of profiles cannot be read"),
    (Code("E0751"), "two sides that cannot be compared"),
    (Code("E0752"), "two sides that cannot be compared in that way"),
    (Code("E0760"), "a configuration of the linter that cannot be used"),
    (Code("E0761"), "no rule and no error of that name"),
    (Code("E0762"), "two documents would go to standard output"),
    (Code("E0772"), "only the text of a profile can be made smaller"),
    (Code("E0773"), "the search for a smaller profile was stopped"),
];
