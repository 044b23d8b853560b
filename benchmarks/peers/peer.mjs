// Times libphonenumber-js with its full metadata: `node peer.mjs FILE` prints rows per second of processor time and a count of valid numbers.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const { parsePhoneNumberWithError, validatePhoneNumberLength } = createRequire(process.argv[3] + "/")("libphonenumber-js/max");

const fields = readFileSync(process.argv[2], "utf8").split("\0");
const rows = [];
for (let i = 0; i + 1 < fields.length; i += 2) rows.push([fields[i], fields[i + 1] || undefined]);
let valid = 0;
const started = process.cpuUsage();
for (const [text, region] of rows) {
  try {
    const number = parsePhoneNumberWithError(text, region);
    number.number;
    number.isPossible();
    if (number.isValid()) valid++;
    number.getType();
    number.country;
  } catch {
    // not a number
  }
}
const used = process.cpuUsage(started);
const seconds = (used.user + used.system) / 1e6;
console.log(Math.round(rows.length / seconds), valid);
