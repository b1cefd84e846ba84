/** The work on one record: its value in, the value of its result out. */
interface Scorer {
  byte[] score(byte[] value) throws Exception;
}
