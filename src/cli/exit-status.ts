/** The program's exit statuses; a second signal N ends it with 128 + N. */

/** It ended as asked. */
export const EXIT_CLEAN = 0;
/** A tunnel cannot run, or has failed. */
export const EXIT_CANNOT_RUN = 1;
/** The arguments or the configuration are wrong, and nothing was started. */
export const EXIT_WRONG_USAGE = 2;
