// Runs expressions through the official implementation: node oracle.js JSONATA.js ROWS.json OUT.json
// A row: {"expr", "data"?}. An outcome: {"result"}, {"nothing": true}, {"function": true} or {"error": code}.
const fs = require('fs');
const jsonata = require(process.argv[2]);

async function outcome(row) {
  try {
    const result = await jsonata(row.expr).evaluate(row.data);
    if (result === undefined) return {nothing: true};
    const text = JSON.stringify(result);
    return text === undefined ? {function: true} : {result: JSON.parse(text)};
  } catch (error) {
    return {error: error.code || 'JS'};
  }
}

(async () => {
  const outcomes = [];
  for (const row of JSON.parse(fs.readFileSync(process.argv[3], 'utf8'))) outcomes.push(await outcome(row));
  fs.writeFileSync(process.argv[4], JSON.stringify(outcomes));
})();
