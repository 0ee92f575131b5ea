// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// All tests, in one process: run.sh gives them the emulator and the packages.
//   main.js [wx|js|cos]...     those of some clients only
// With INTEROP_LOG=FILE, what the clients tell the console goes there.

const { Console } = require('node:console');
const fs = require('node:fs');

const { runAll } = require('./tap.js');

const clients = process.argv.slice(2);

globalThis.console = new Console(
  fs.createWriteStream(process.env.INTEROP_LOG ?? '/dev/null'));
for (const name of clients.length > 0 ? clients : ['wx', 'js', 'cos'])
  require(`./test-${name}.js`);
runAll().then((failures) => process.exit(failures > 0 ? 1 : 0));
