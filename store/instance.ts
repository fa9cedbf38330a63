import { SignalboxError } from '../domain/errors.js';
import { queryOne, type Db } from './db.js';

/** The name of this instance: that of its database, whatever process asks. */
export async function instanceId(db: Db): Promise<string> {
  const row = await queryOne<{ id: string }>(db, 'SELECT id FROM instance', []);
  if (row === null) throw new SignalboxError('internal', 'the database does not say which instance it is of');
  return row.id;
}
