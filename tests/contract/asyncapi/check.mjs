// Parses AsyncAPI documents with the official parser and prints what it has to say, as JSON.
// usage: node check.mjs FILE…; prints one object for each file.
import { Parser, fromFile } from '@asyncapi/parser';

const ERROR = 0;

async function check(file) {
  const { document, diagnostics } = await fromFile(new Parser(), file).parse();
  return {
    messages: document ? document.allMessages().all().map((message) => message.name()) : [],
    operations: document ? document.allOperations().all().map((operation) => operation.id()) : [],
    errors: diagnostics.filter(({ severity }) => severity === ERROR)
      .map(({ path, message }) => `${path.join('/')}: ${message}`),
  };
}

console.log(JSON.stringify(await Promise.all(process.argv.slice(2).map(check))));
