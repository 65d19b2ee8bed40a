/** VeLU in Java with the Vector API: the strongest rival of the native kernels that needs no native code. */
package dev.velu.peers.vector;
