/**
 * Numbers: nobody hands any over yet, so a run gets the random numbers of the golden check; see
 * page/demo.js.
 */

/** @type {import("./contract.d.ts").Kind} */
export const kind = { name: "numbers" };
