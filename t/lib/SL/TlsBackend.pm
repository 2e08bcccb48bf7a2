package SL::TlsBackend;

# A TLS server behind a proxy that does what a good one would not.
#
#   my $backend = SL::TlsBackend->new($cert, SSL_version => 'TLSv1_2');   ->port; it goes away with the object
#
# By the last part of a request's path:
#   /whole       an answer without Content-Length, ended by close_notify
#   /cut         the same, but TCP ends without close_notify
#   /short       less than its Content-Length says, and a close_notify
#   /nothing     closes without an answer
#   /reset       resets the connection
#   /stall       never answers
#   /early       answers 403 before it has read the body, and closes
# new(undef, says => 'what') speaks no TLS: 'http' answers in clear, 'close' closes at once, 'nothing' waits.

use strict;
use warnings;
use parent 'SL::Backend';
use IO::Socket::SSL;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);

sub new { my ($class, $cert, %o) = @_; return $class->SUPER::new(says => delete $o{says}, cert => $cert, options => \%o) }

sub serve {
    my ($self, $client) = @_;
    my $says = $self->{says} // '';
    return if $says eq 'close';
    if ($says) {
        sysread $client, my $request, 4096;
        syswrite $client, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" if $says eq 'http';
        1 while $says eq 'nothing' && sysread $client, $request, 4096;
        return;
    }
    my $tls = IO::Socket::SSL->start_SSL($client, SSL_server => 1, SSL_cert_file => $self->{cert}{full},
        SSL_key_file => $self->{cert}{key}, %{ $self->{options} }) or return;
    my $request = '';
    until ($request =~ /\r\n\r\n/) { sysread $tls, $request, 65536, length $request or return }
    my ($path) = $request =~ m{^\w+ \S*(/\w*) };
    if ($path eq '/reset') {
        setsockopt $client, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
        POSIX::_exit(0);
    }
    1 while $path eq '/stall' && sysread $tls, $request, 4096;
    syswrite $tls, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" . 'W' x 1000 if $path eq '/whole' || $path eq '/cut';
    syswrite $tls, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" . 'S' x 1000 if $path eq '/short';
    syswrite $tls, "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\nenough" if $path eq '/early';
    shutdown $client, 1 if $path eq '/cut';
    POSIX::_exit(0) if $path eq '/cut';
    $tls->close(SSL_no_shutdown => 0);
    return;
}

1;
