/** A program that has a secret and crashes with a tunnel's settings at hand. */

import { parseArguments } from "../../src/cli/arguments.ts";

const request = parseArguments(["-s", "5000", "h/4000"], process.env);
throw Object.assign(new Error("made to crash"), { request });
