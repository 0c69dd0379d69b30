import { z } from 'zod';
import { secret } from '../src/adapter.ts';
import { tlsFiles } from './tls-files.ts';

const server = z
  .string()
  .regex(
    /^((nats|tls):\/\/)?[^@/\s]+$/,
    'an address such as nats://host:4222; a login is written apart, as username and password',
  );

/** The entry under `brokers`, the same for JetStream and core NATS. */
export const natsOptions = z
  .strictObject({
    /** Tried in random order, until one takes the connection. */
    servers: z.array(server).min(1),
    username: z.string().min(1).optional(),
    password: secret().optional(),
    token: secret().optional(),
    /** What a .creds file holds. */
    creds: secret().optional(),
    tls: tlsFiles.optional(),
  })
  .refine(
    ({ username, password }) => (username === undefined) === (password === undefined),
    'username and password only together',
  )
  .refine(
    ({ username, token, creds }) => [username, token, creds].filter((way) => way !== undefined).length <= 1,
    'one way to log in: username and password, token, or creds',
  );
export type NatsOptions = z.output<typeof natsOptions>;
