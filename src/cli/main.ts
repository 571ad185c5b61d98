#!/usr/bin/env node
/** The command line: one file a command; every failure is one line on stderr and an exit code. */
import { Command, CommanderError } from 'commander';
import { systemErrorCode } from '../errors.ts';
import { auditCommand } from './audit.ts';
import { connectionCommand } from './connection.ts';
import { doctorCommand } from './doctor.ts';
import { exitCodeOf, exitCodes, SilentExit } from './exit-codes.ts';
import { keysCommand } from './keys.ts';
import { logoutCommand } from './logout.ts';
import { quietWarnings } from './quiet-warnings.ts';
import { requestTokenCommand } from './request-token.ts';
import { shipCommand } from './ship.ts';
import { tailCommand } from './tail.ts';
import { topicsCommand } from './topics.ts';
import { waitReadyCommand } from './wait-ready.ts';
import { whoamiCommand } from './whoami.ts';

quietWarnings();

const program = new Command('diaspora-logger')
  .description('Log records to Kafka, signed in with Globus.')
  // One line each; what a command's own help begins with may be longer.
  .configureHelp({
    subcommandDescription: (command) =>
      command.summary() || (command.description().split('\n')[0] ?? ''),
  })
  .showHelpAfterError('(--help tells more)')
  .exitOverride();
/** In the order in which a newcomer meets them. */
const commands = [
  requestTokenCommand(),
  whoamiCommand(),
  logoutCommand(),
  topicsCommand(),
  keysCommand(),
  waitReadyCommand(),
  connectionCommand(),
  shipCommand(),
  tailCommand(),
  auditCommand(),
  doctorCommand(),
];
for (const command of commands) {
  program.addCommand(command.copyInheritedSettings(program));
  for (const part of command.commands) part.copyInheritedSettings(command);
}

// Whoever read the output, such as `head`, has enough: that is no failure, and hides none.
process.stdout.on('error', (error) => {
  if (systemErrorCode(error) !== 'EPIPE') process.exit(exitCodes.failed);
});
// Nobody is left to be told.
process.stderr.on('error', () => {});

try {
  await program.parseAsync();
} catch (error) {
  // commander has printed its own message; of any other error the message is enough.
  if (!(error instanceof CommanderError || error instanceof SilentExit)) {
    const message = error instanceof Error ? error.message : 'unknown error';
    process.stderr.write(`diaspora-logger: ${message}\n`);
  }
  process.exitCode = exitCodeOf(error);
}
