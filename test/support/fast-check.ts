/** The settings of property tests. bunfig.toml loads this file before the tests. */

import fc from "fast-check";

// By default the failed expectation is the cause of the reported error. Bun does not print causes.
fc.configureGlobal({ includeErrorInReport: true });
