package SL::Stream;

# A connection in the hands of the test: bytes go out piece by piece, come back until a pattern, a length or the
# end, always with a deadline. Made by SL::Client: raw() over TCP, tls() through openssl s_client.

use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER SHUT_WR IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);
use SL::Command qw(slow stop_process);

sub new {
    my ($class, %o) = @_;    # in: handle to read, out: handle to write, pid: process behind them
    $o{out}->autoflush(1);
    return bless { seen => '', at_end => 0, timeout => 10, %o }, $class;
}

sub socket { return $_[0]{in} }

# Sends all of it; false if the peer is gone.
sub send {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $at = 0;
    while ($at < length $bytes) {
        my $n = syswrite $self->{out}, $bytes, length($bytes) - $at, $at;
        next if !defined $n && $! == EINTR;
        return 0 unless defined $n;
        $at += $n;
    }
    return 1;
}

# In pieces of `size` bytes, each in a packet of its own as far as TCP_NODELAY makes it so.
sub send_in_pieces {
    my ($self, $bytes, $size, $between) = @_;
    setsockopt $self->{out}, IPPROTO_TCP, TCP_NODELAY, 1;
    while (length $bytes) {
        $self->send(substr $bytes, 0, $size, '') or return 0;
        $between->() if $between;
    }
    return 1;
}

sub more {
    my ($self, $deadline) = @_;
    return 0 if $self->{at_end};
    my $left = $deadline - time;
    return 0 if $left <= 0 || !IO::Select->new($self->{in})->can_read($left);
    my $n = sysread $self->{in}, my $piece, 65536;
    return 1 if !defined $n && ($! == EINTR || $! == EAGAIN);
    if (!$n) {
        $self->{at_end} = 1;
        $self->{error} = defined $n ? 0 : $! + 0;
        return 0;
    }
    $self->{seen} .= $piece;
    return 1;
}

# Everything up to and including the match is taken and returned; undef at the deadline or the end.
sub read_until {
    my ($self, $pattern, $seconds) = @_;
    my $deadline = time + ($seconds || $self->{timeout}) * slow();
    while (1) {
        return substr $self->{seen}, 0, $+[0], '' if $self->{seen} =~ $pattern;
        return unless $self->more($deadline);
    }
}

sub read_bytes {
    my ($self, $length, $seconds) = @_;
    my $deadline = time + ($seconds || $self->{timeout}) * slow();
    while (length $self->{seen} < $length) { return unless $self->more($deadline) }
    return substr $self->{seen}, 0, $length, '';
}

# All that comes until the peer closes; undef if it has not closed by then.
sub read_to_end {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds || $self->{timeout}) * slow();
    1 while $self->more($deadline);
    return unless $self->{at_end};
    return substr $self->{seen}, 0, length $self->{seen}, '';
}

# Did the peer close, and how: 'closed', 'reset' or undef while it is open.
sub ended {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds || 0.001);
    1 while $self->more($deadline);
    return unless $self->{at_end};
    return $self->{error} ? 'reset' : 'closed';
}

# What was read and not taken yet.
sub pending { return $_[0]{seen} }

# One HTTP/1.x response with Content-Length, chunked or until the end: {code, headers, body}.
sub response {
    my ($self, $seconds) = @_;
    my $head = $self->read_until(qr/\r\n\r\n/, $seconds);
    return unless defined $head;
    my ($code) = $head =~ m{^HTTP/\S+ (\d+)};
    my %headers;
    while ($head =~ /^([^\s:]+):[ \t]*(.*?)\r$/mg) { $headers{ lc $1 } = $2 }
    my $body = '';
    if (defined $headers{'content-length'}) {
        $body = $self->read_bytes($headers{'content-length'}, $seconds);
    }
    elsif (($headers{'transfer-encoding'} || '') =~ /chunked/) {
        while (1) {
            my $line = $self->read_until(qr/\r\n/, $seconds);
            return unless defined $line;
            my $piece = $self->read_bytes(2 + hex($line =~ /^([0-9a-fA-F]+)/ ? $1 : 0), $seconds);
            return unless defined $piece;
            last if length $piece == 2;
            $body .= substr $piece, 0, -2;
        }
    }
    elsif ($code != 204 && $code != 304) { $body = $self->read_to_end($seconds) }
    return { code => $code, head => $head, headers => \%headers, body => $body };
}

sub half_close {
    my ($self) = @_;
    if ($self->{pid}) { close $self->{out} }
    else              { shutdown $self->{out}, SHUT_WR }
}

# A TCP reset instead of an orderly end.
sub reset {
    my ($self) = @_;
    setsockopt $self->{out}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    $self->close;
}

sub close {
    my ($self) = @_;
    CORE::close $self->{in}  if $self->{in};
    CORE::close $self->{out} if $self->{out};
    stop_process(delete $self->{pid}, timeout => 2) if $self->{pid};
    $self->{at_end} = 1;
    delete @$self{qw(in out)};
}

sub DESTROY { my ($self) = @_; local ($?, $!, $@); $self->close if $self->{in} }

1;
