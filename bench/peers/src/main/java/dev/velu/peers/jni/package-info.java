/** Our C ABI over JNI, as JavaCPP binds it: the rival of the Foreign Function and Memory API. */
package dev.velu.peers.jni;
