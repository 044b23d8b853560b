// A journey of @hubspot/api-client through the HubSpot stand-in. Usage: node hubspot_journey.mjs URL. Prints what it found as JSON.
import { Client } from "@hubspot/api-client";

const client = new Client({ accessToken: "sandbox-token", basePath: process.argv[2], numberOfApiCallRetries: 3 });
const contacts = client.crm.contacts;
const found = {};

const seen = [];
let after;
let pages = 0;
do {
  const page = await contacts.basicApi.getPage(50, after, ["phone", "mobilephone", "email"]);
  seen.push(...page.results);
  after = page.paging?.next?.after;
  pages += 1;
} while (after);
found.listed = seen.length;
found.distinct = new Set(seen.map((row) => row.id)).size;
found.pages = pages;

const hits = await contacts.searchApi.doSearch({
  filterGroups: [{ filters: [{ propertyName: "hs_object_id", operator: "GT", value: "0" }] }],
  sorts: ["hs_object_id"],
  properties: ["phone"],
  limit: 20,
  after: "0",
});
found.searchTotal = hits.total;
found.hits = hits.results.length;

const some = seen.slice(0, 3);
const updated = await contacts.batchApi.update({
  inputs: some.map((row) => ({ id: row.id, properties: { jobtitle: "by the client" } })),
});
found.updated = updated.results.length;
const read = await contacts.batchApi.read({
  inputs: some.map((row) => ({ id: row.id })),
  properties: ["jobtitle"],
  propertiesWithHistory: [],
});
found.titles = read.results.map((row) => row.properties.jobtitle);
found.unknown = await contacts.basicApi.getById("1").catch((error) => error.code);
found.properties = (await client.crm.properties.coreApi.getAll("contacts")).results.some((one) => one.name === "phone");

console.log(JSON.stringify(found));
