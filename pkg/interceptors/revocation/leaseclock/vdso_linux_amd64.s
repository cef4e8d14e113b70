#include "textflag.h"

// func call(function, clock uintptr) (sec, nsec, result int64)
//
// It runs on the stack of the goroutine, as syscall.Gettimeofday does: the check
// at the entry leaves some 800 bytes, of which the kernel's function uses about
// 100. It may change registers of Go: a signal handler finds its goroutine in
// thread-local storage on this architecture, and Go's wrapper of an assembly
// function restores the rest.
TEXT ·call(SB), 0, $16-40
	MOVQ	function+0(FP), AX
	MOVQ	clock+8(FP), DI
	MOVQ	SP, R12			// callee-saved in C
	ANDQ	$~15, SP		// as C wants it
	MOVQ	SP, SI			// struct timespec
	CALL	AX
	MOVQ	0(SP), CX
	MOVQ	8(SP), DX
	MOVQ	R12, SP
	MOVQ	CX, sec+16(FP)
	MOVQ	DX, nsec+24(FP)
	MOVLQSX	AX, AX
	MOVQ	AX, result+32(FP)
	RET
