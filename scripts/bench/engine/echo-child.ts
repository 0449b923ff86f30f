import { answerCommands } from './commands.ts';

const commands = { echo: <T>(value: T): T => value };
export type EchoCommands = typeof commands;
answerCommands(commands);
