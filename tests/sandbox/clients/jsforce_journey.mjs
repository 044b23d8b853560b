// A journey of jsforce through the Salesforce stand-in. Usage: node jsforce_journey.mjs URL. Prints what it found as JSON.
import jsforce from "jsforce";

const url = process.argv[2];
const found = {};

const soap = new jsforce.Connection({ loginUrl: url, version: "59.0" });
const user = await soap.login("ringtrue@sandbox.example", "sandbox-passwordsandbox-token");
found.userId = user.id;
found.refused = await new jsforce.Connection({ loginUrl: url })
  .login("ringtrue@sandbox.example", "wrong")
  .catch((error) => error.message);

const conn = new jsforce.Connection({
  version: "59.0",
  instanceUrl: url,
  oauth2: { clientId: "sandbox-key", clientSecret: "sandbox-secret", loginUrl: url },
});
await conn.authorize({ grant_type: "client_credentials" });
found.identity = (await conn.identity()).username;

const described = await conn.sobject("Contact").describe();
found.phoneType = described.fields.find((field) => field.name === "Phone").type;

const first = await conn.query("SELECT Id, Phone, Account.Name FROM Contact ORDER BY Id");
found.total = first.totalSize;
const rows = [...first.records];
let pages = 1;
for (let page = first; !page.done; pages += 1) {
  page = await conn.queryMore(page.nextRecordsUrl);
  rows.push(...page.records);
}
found.rows = rows.length;
found.pages = pages;
found.account = rows.find((row) => row.Account).Account.Name;

const changes = rows.slice(0, 3).map((row) => ({ Id: row.Id, Department: "by jsforce" }));
changes.push({ Id: rows[3].Id, Phone: "1".repeat(41) });
const results = await conn.sobject("Contact").update(changes, { allOrNone: false });
found.updated = results.map((result) => (result.success ? "ok" : result.errors[0].errorCode ?? result.errors[0].statusCode));
found.department = (await conn.sobject("Contact").retrieve(rows[0].Id)).Department;

const exported = await (await conn.bulk2.query("SELECT Id, Phone FROM Contact", { pollInterval: 50, pollTimeout: 20000 })).toArray();
found.exported = exported.length;

conn.bulk2.pollInterval = 50;
const loaded = await conn.bulk2.loadAndWaitForResults({
  object: "Contact",
  operation: "update",
  input: rows.slice(4, 10).map((row) => ({ Id: row.Id, Department: "by bulk" })).concat([{ Id: "nonsense", Department: "x" }]),
});
found.loaded = loaded.successfulResults.length;
found.failed = loaded.failedResults.map((row) => row.sf__Error);
found.unprocessed = loaded.unprocessedRecords.length;

const made = await conn.metadata.create("CustomField", [
  { fullName: "Contact.By_jsforce__c", label: "By jsforce", type: "Text", length: 20 },
]);
found.field = [made].flat()[0].success;
found.custom = (await conn.tooling.query("SELECT DeveloperName FROM CustomField WHERE DeveloperName = 'By_jsforce'")).totalSize;
found.limits = (await conn.limits()).DailyApiRequests.Max;
found.usage = conn.limitInfo.apiUsage.limit;

console.log(JSON.stringify(found));
