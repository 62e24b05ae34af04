/** A program that crashes with an error that carries settings with a secret. */

import { parseArguments } from "../../src/cli/arguments.ts";

const request = parseArguments(["-s", "5000", "h/4000"], process.env);
throw Object.assign(new Error("made to crash"), { request });
